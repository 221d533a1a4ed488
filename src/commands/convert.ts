/** `onepeace convert`: an official checkpoint becomes a bundle, with a progress bar. */
import { SingleBar } from 'cli-progress'
import type { Precision } from '../bundle/manifest.ts'
import { convertCheckpoint } from '../converter/convert.ts'
import { ConvertError } from '../converter/convert-error.ts'

export interface ConvertFlags {
  bpe?: string
  out: string
  precision: Precision
  imageSize?: number
  name?: string
  licence?: string
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
    const megabytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6
    console.log(
      `${flags.out}: ${manifest.modalities.join(', ')}; ${manifest.embedDim} dimensions; ${manifest.precision}; ` +
        `${megabytes.toFixed(1)} MB.`,
    )
    if (unusedTensors.length > 0) console.log(`${unusedTensors.length} tensors of the checkpoint are not needed.`)
  } finally {
    bar.stop()
  }
}
