"""One writer at a time: a lease is a record (`lease_record`) that is compared and swapped (`lock_record`)."""
