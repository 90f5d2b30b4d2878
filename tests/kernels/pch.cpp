// Holds the precompiled headers that the tests of kernels/ share.
