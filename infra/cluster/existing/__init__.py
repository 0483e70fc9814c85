"""Driver `existing`: a cluster that somebody else looks after."""
