/** The processor cores that this process may use, and who goes first on them. */
import { readFileSync } from 'node:fs'
import { availableParallelism, getPriority, setPriority } from 'node:os'

/** Quota and period of a container, in µs: `200000 100000` is two cores, `max 100000` is no quota (cgroup v2). */
const CPU_MAX_FILE = '/sys/fs/cgroup/cpu.max'

/** Cores that this process may use: those it is bound to, or what its container has a quota of if that is less; at least 1. */
export function usableCores(cpuMaxFile = CPU_MAX_FILE): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaOf(cpuMaxFile))))
}

function quotaOf(file: string): number {
  try {
    const [quota, period] = readFileSync(file, 'utf8').trim().split(' ').map(Number)
    const cores = quota! / period!
    return cores > 0 ? cores : Number.POSITIVE_INFINITY // `max` is no number
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/**
 * How far work on pictures and sounds stands back: its threads get a thirtieth of the time of one that does not, where both want it,
 * and are put off whenever such a one wakes.
 */
export const MEDIA_NICE = 15

/**
 * Has the calling thread, and those it starts from now on, stand back for the rest of the process: for work that takes long.
 * On Linux a priority belongs to a thread; elsewhere it belongs to the process, which is left alone.
 * @param nice from 0 (not at all) to 19, added to what the thread has
 */
export function standBack(nice: number): void {
  if (nice > 0 && process.platform === 'linux') setPriority(0, Math.min(19, getPriority(0) + nice))
}
