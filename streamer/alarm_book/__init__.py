"""The life-cycle of alarms after ISA-18.2, pure: what is told of them when, and what they stand."""
