"""The command line: `main` is the entry, `app` names the verbs, `verbs/` has a file a group, `render/` prints."""
