/** The time by which a signal will abort, so that it can be told to another process: a signal itself does not say. */

const deadlines = new WeakMap<AbortSignal, number>()

/** @param atMs on the clock of `performance.now()` */
export function setDeadline(signal: AbortSignal, atMs: number): void {
  deadlines.set(signal, atMs)
}

/** On the clock of `performance.now()`; undefined for a signal without one. */
export function deadlineOf(signal: AbortSignal | undefined): number | undefined {
  return signal && deadlines.get(signal)
}

/** `AbortSignal.any` that keeps the nearest deadline. */
export function anySignal(...signals: readonly AbortSignal[]): AbortSignal {
  const any = AbortSignal.any([...signals])
  const known = signals.map(deadlineOf).filter((atMs) => atMs !== undefined)
  if (known.length > 0) deadlines.set(any, Math.min(...known))
  return any
}
