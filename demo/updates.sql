-- Changed values, a NULL that comes and one that goes: make psql ARGS='-f demo/updates.sql'
UPDATE user_logins SET sent_to_kafka = true WHERE NOT sent_to_kafka;
UPDATE my_table SET name = CASE WHEN name IS NULL THEN 'named at last' END
 WHERE id IN (SELECT id FROM my_table ORDER BY id DESC LIMIT 2);
UPDATE sales SET price = round(price * 0.9, 2), region = coalesce(region, 'online');
UPDATE stock_movements SET quantity = quantity + 1 WHERE direction = 'in';
