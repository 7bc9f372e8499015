"""The one place that joins parts: what the parent starts, and what each child builds."""
