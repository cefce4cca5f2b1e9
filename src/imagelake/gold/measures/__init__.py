"""What a draft measures, for the gate and for the row of a version: counted by SQL, in Spark or in this process."""
