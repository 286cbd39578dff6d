-- Processes that meet the same change of a table write it down once.
ALTER TABLE {{machinery}}.schema_changes MODIFY SETTING non_replicated_deduplication_window = 10000;
