-- Changed values of the newest rows, a NULL that comes and one that goes: make psql ARGS='-f demo/updates.sql'
UPDATE user_logins SET sent_to_kafka = true
 WHERE id IN (SELECT id FROM user_logins WHERE NOT sent_to_kafka ORDER BY id DESC LIMIT 6);
UPDATE my_table SET name = CASE WHEN name IS NULL THEN 'named at last' END
 WHERE id IN (SELECT id FROM my_table ORDER BY id DESC LIMIT 2);
UPDATE sales SET price = round(price * 0.9, 2), region = coalesce(region, 'online')
 WHERE event_id IN (SELECT event_id FROM sales ORDER BY event_time DESC, event_id LIMIT 3);
UPDATE stock_movements SET quantity = quantity + 1
 WHERE event_id = (SELECT event_id FROM stock_movements WHERE direction = 'in' ORDER BY event_time DESC, event_id LIMIT 1);
