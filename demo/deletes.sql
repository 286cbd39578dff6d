-- Rows that go: make psql ARGS='-f demo/deletes.sql'
DELETE FROM user_logins WHERE id = (SELECT max(id) FROM user_logins WHERE event_type = 'logout');
DELETE FROM my_table WHERE id = (SELECT min(id) FROM my_table);
DELETE FROM stock_movements
 WHERE event_id IN (SELECT event_id FROM stock_movements WHERE direction = 'out' ORDER BY event_time DESC, event_id LIMIT 3);
DELETE FROM sales WHERE event_id = (SELECT event_id FROM sales ORDER BY event_time DESC, event_id LIMIT 1);
