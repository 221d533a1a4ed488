/**
 * Runs a batch so that one bad item fails alone: if the batch fails as a whole, each item runs once more by itself. This
 * happens where the batch runs, in the worker, because pixels and waveforms were moved there and are not kept elsewhere.
 */

/** Outcome of each item, in order. Never rejects. */
export async function settleBatch<Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): Promise<PromiseSettledResult<Result>[]> {
  const whole = await settle(() => run(items))
  if (whole.status === 'fulfilled') return whole.value.map((value) => ({ status: 'fulfilled', value }))
  if (items.length === 1) return [whole]
  const outcomes: PromiseSettledResult<Result>[] = []
  for (const item of items) outcomes.push(await settle(async () => (await run([item]))[0]!))
  return outcomes
}

async function settle<T>(act: () => Promise<T>): Promise<PromiseSettledResult<T>> {
  const [outcome] = await Promise.allSettled([Promise.resolve().then(act)])
  return outcome
}
