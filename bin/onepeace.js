#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node
// glibc gives each of the store's and the encoder's threads a heap of its own, and memory that one of them frees is no use to the
// others: without the bound a busy service grows by hundreds of megabytes. It is read before a process begins, hence from here.
import '../dist/main.js'
