-- New rows in each demo table; run it as often as you like: make psql ARGS='-f demo/inserts.sql'
INSERT INTO user_logins (username, event_type)
VALUES ('ada', 'signup'), ('ada', 'login'), ('ada', 'purchase'), ('ada', 'logout'),
       ('grace', 'signup'), ('grace', 'login');

INSERT INTO my_table (name) VALUES ('first'), ('sécond "quoted" \ 日本語'), (NULL);

-- Two tables in one transaction: both changes carry the same tx_id.
BEGIN;
INSERT INTO sales (product_id, category, region, quantity, price)
VALUES (1, 'books', 'north', 2, 19.90), (2, 'games', 'south', 1, 59.00), (3, 'books', NULL, 5, 7.25);
INSERT INTO stock_movements (product_id, warehouse, direction, quantity)
VALUES (1, 'A', 'out', 2), (2, 'A', 'out', 1), (3, 'B', 'out', 5), (1, 'B', 'in', 100);
COMMIT;
