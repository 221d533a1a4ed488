#!/usr/bin/env -S MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 node --heap-growing-percent=40
// glibc's malloc, told before a process begins, hence from here (the images start it by this line, too). It gives each of the store's and the
// encoder's threads a heap of its own, and memory that one of them frees is no use to the others; and it keeps large blocks in those
// heaps once it has seen one freed. V8 collects garbage when it is as much as the rest, and does not see what the store holds for objects
// that wait for it. Without these bounds a busy service grows by hundreds of megabytes.
import '../dist/main.js'
