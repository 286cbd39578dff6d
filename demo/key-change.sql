-- A changed primary key arrives as a delete of the old key and an insert of the new: make psql ARGS='-f demo/key-change.sql'
UPDATE my_table SET id = nextval(pg_get_serial_sequence('my_table', 'id')) WHERE id = (SELECT max(id) FROM my_table);
UPDATE sales SET event_id = gen_random_uuid() WHERE event_id = (SELECT event_id FROM sales ORDER BY event_time DESC, event_id LIMIT 1);
