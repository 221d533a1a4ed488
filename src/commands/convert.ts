/** `onepeace convert`: official checkpoints become a bundle, with a progress bar. */

import { SingleBar } from 'cli-progress'
import { type BundleManifest, HEAD_TASKS, type HeadTask, type Precision } from '../bundle/manifest.ts'
import { convertCheckpoint } from '../converter/convert.ts'
import { ConvertError } from '../converter/convert-error.ts'
import { printJson } from '../terminal/print.ts'

export interface ConvertFlags {
  bpe?: string
  out: string
  precision: Precision
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
  if (!['fp32', 'fp16'].includes(flags.precision)) {
    throw new ConvertError(`There is no precision '${flags.precision}'; choose fp32 or fp16.`)
  }
  const bar = new SingleBar({ format: 'Writing tensors {bar} {value}/{total}', clearOnComplete: false })
  let started = false
  try {
    const { manifest, unusedTensors } = await convertCheckpoint({
      checkpointPath,
      heads: pairs('--head', flags.head).map(([name, path]) => ({ name, checkpointPath: path })),
      headTasks: Object.fromEntries(pairs('--head-task', flags.headTask).map(([name, task]) => [name, taskOf(task)])),
      bpeDir: flags.bpe,
      outDir: flags.out,
      precision: flags.precision,
      imageSizePx: flags.imageSize,
      name: flags.name,
      licence: flags.licence,
      onProgress: (done, total) => {
        if (!started) bar.start(total, 0)
        started = true
        bar.update(done)
      },
    })
    bar.stop()
    if (flags.json) return printJson({ out: flags.out, manifest, unused_tensors: unusedTensors })
    console.log(`${flags.out}: ${summary(manifest)}`)
    if (unusedTensors.length > 0) console.log(`${unusedTensors.length} tensors given are not needed.`)
  } finally {
    bar.stop()
  }
}

/** `NAME=VALUE` arguments of a flag. @throws ConvertError */
function pairs(flag: string, given: readonly string[] = []): [name: string, value: string][] {
  return given.map((argument) => {
    const at = argument.indexOf('=')
    if (at < 1 || at === argument.length - 1) throw new ConvertError(`${flag} ${argument} is not NAME=VALUE.`)
    return [argument.slice(0, at), argument.slice(at + 1)]
  })
}

function taskOf(name: string): HeadTask {
  const task = HEAD_TASKS.find((known) => known === name)
  if (task) return task
  throw new ConvertError(`There is no task '${name}'; choose one of ${HEAD_TASKS.join(', ')}.`)
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
