"""Driver `existing`: a cluster that the program uses but does not manage."""
