/** `onepeace convert`: official checkpoints become a bundle, with a progress bar. */

import { totalmem } from 'node:os'
import { type BundleManifest, HEAD_TASKS, type HeadTask, PRECISIONS, type Precision } from '../bundle/manifest.ts'
import { DEVICES, type Device, type Machine } from '../converter/auto-precision.ts'
import { convertCheckpoint } from '../converter/convert.ts'
import { ConvertError } from '../converter/convert-error.ts'
import { MODALITIES, type Modality } from '../modality.ts'
import { printJson } from '../terminal/print.ts'
import { Progress } from '../terminal/progress.ts'

export interface ConvertFlags {
  bpe?: string
  out: string
  precision: string
  /** For which device `--precision auto` chooses. */
  device: string
  /** Modalities, joined by commas. */
  branches?: string
  imageSize?: number
  /** `NAME=CHECKPOINT` each. */
  head?: string[]
  /** `NAME=TASK` each. */
  headTask?: string[]
  name?: string
  licence?: string
  json?: boolean
}

/** @throws ConvertError and whatever `convertCheckpoint` throws */
export async function convert(checkpointPath: string, flags: ConvertFlags): Promise<void> {
  let bar: Progress | undefined
  try {
    const { manifest, unusedTensors } = await convertCheckpoint({
      checkpointPath,
      heads: pairs('--head', flags.head).map(([name, path]) => ({ name, checkpointPath: path })),
      headTasks: Object.fromEntries(
        pairs('--head-task', flags.headTask).map(([name, task]) => [name, oneOf<HeadTask>('task', HEAD_TASKS, task)]),
      ),
      bpeDir: flags.bpe,
      outDir: flags.out,
      precision: precisionOf(flags),
      branches: flags.branches?.split(',').map((name) => oneOf<Modality>('branch', MODALITIES, name)),
      imageSizePx: flags.imageSize,
      name: flags.name,
      licence: flags.licence,
      onProgress: (done, total) => {
        bar ??= new Progress({ unit: 'bytes', total })
        bar.update(done)
      },
    })
    bar?.stop()
    if (flags.json) return printJson({ out: flags.out, manifest, unused_tensors: unusedTensors })
    console.log(`${flags.out}: ${summary(manifest)}`)
    if (unusedTensors.length > 0) console.log(`${unusedTensors.length} tensors given are not needed.`)
  } finally {
    bar?.stop()
  }
}

function precisionOf({ precision, device }: ConvertFlags): Precision | Machine {
  if (precision !== 'auto') return oneOf('precision', [...PRECISIONS, 'auto'], precision) as Precision
  const allowed = process.constrainedMemory() || Number.POSITIVE_INFINITY // 0 where nothing is known
  return { device: oneOf<Device>('device', DEVICES, device), memoryBytes: Math.min(totalmem(), allowed) }
}

/** @throws ConvertError where `name` is none of them */
function oneOf<T extends string>(what: string, known: readonly T[], name: string): T {
  const found = known.find((each) => each === name)
  if (found) return found
  throw new ConvertError(`There is no ${what} '${name}'; choose one of ${known.join(', ')}.`)
}

/** `NAME=VALUE` arguments of a flag. @throws ConvertError */
function pairs(flag: string, given: readonly string[] = []): [name: string, value: string][] {
  return given.map((argument) => {
    const at = argument.indexOf('=')
    if (at < 1 || at === argument.length - 1) throw new ConvertError(`${flag} ${argument} is not NAME=VALUE.`)
    return [argument.slice(0, at), argument.slice(at + 1)]
  })
}

function summary({ modalities, heads = [], embedDim, precision, files }: BundleManifest): string {
  const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6
  const named = heads.map(({ name, task }) => (name === task ? name : `${name} (${task})`))
  return [
    ...(modalities.length > 0 ? [modalities.join(', ')] : []),
    ...(named.length > 0 ? [`heads ${named.join(', ')}`] : []),
    `${embedDim} dimensions`,
    precision,
    `${megabytes.toFixed(1)} MB.`,
  ].join('; ')
}
