// Holds the precompiled header of torch that the targets above csrc/ share.
