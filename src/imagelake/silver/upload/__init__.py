"""One upload on its way into the draft: parsed in parallel, in the space of its labels, counted."""
