/** `onepeace export`: a collection into a folder or an NDJSON file, which `import` reads back. */

import type { OnepeaceClient } from 'onepeace-client'
import { printJson } from '../terminal/print.ts'
import { Progress } from '../terminal/progress.ts'
import { asDuration } from '../terminal/table.ts'
import { exportItems } from '../transfer/export-items.ts'
import { atSignal } from './at-signal.ts'
import { namingCollections } from './collections.ts'
import { filterOf } from './options.ts'
import { PATIENT, type ServiceFlags, withService } from './with-service.ts'

export interface ExportFlags extends ServiceFlags {
  out: string
  filter?: string | undefined
  /** commander's reading of `--no-vectors`. */
  vectors: boolean
  json?: boolean | undefined
}

/** @throws ConfigError, ServiceError, TransferError */
export async function exportCollection(name: string, flags: ExportFlags): Promise<void> {
  const { out, vectors, json } = flags
  const filter = flags.filter === undefined ? {} : { filter: filterOf(flags.filter) }
  const work = async (client: OnepeaceClient): Promise<void> => {
    const began = performance.now()
    const { items } = await namingCollections(client, name, () => client.collections.get(name))
    const bar = new Progress({ unit: 'items', total: items })
    const { signal, release } = atSignal('Stopping.')
    const onProgress = (done: number) => bar.update(done)
    const count = await exportItems(client, name, out, { ...filter, vectors, signal, onProgress }).finally(() => {
      bar.stop()
      release()
    })
    const seconds = (performance.now() - began) / 1000
    if (json) printJson({ collection: name, out, items: count, seconds })
    else console.log(`${out}: ${count} items of ${name}, in ${asDuration(seconds)}.`)
  }
  await withService(flags, work, PATIENT)
}
