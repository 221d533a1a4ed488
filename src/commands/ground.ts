/** `onepeace ground`: where phrases are in a picture, as numbers and drawn into it. */

import { writeFile } from 'node:fs/promises'
import type { OnepeaceClient } from 'onepeace-client'
import { ConfigError } from '../config.ts'
import { drawOver, isDrawable } from '../media/image.ts'
import { printJson } from '../terminal/print.ts'
import { asTable } from '../terminal/table.ts'
import { boxesOver } from './boxes.ts'
import { fileOf } from './contents.ts'
import { type ServiceFlags, withService } from './with-service.ts'

export interface GroundFlags extends ServiceFlags {
  /** Picture to write; its ending says of which kind. */
  out?: string | undefined
  head?: string | undefined
  json?: boolean | undefined
}

type Response = Awaited<ReturnType<OnepeaceClient['ground']>>

/** @throws ConfigError, ServiceError, DomainError if the picture cannot be drawn upon */
export async function ground(path: string, phrases: string[], flags: GroundFlags): Promise<void> {
  const { out, head, json } = flags
  if (out !== undefined && !isDrawable(out)) {
    throw new ConfigError(`--out must end in .png, .jpg or .webp, not as '${out}' does.`)
  }
  const picture = await fileOf(path)
  await withService(flags, async (client) => {
    const response = await client.ground(picture, phrases, head === undefined ? {} : { head })
    if (out !== undefined) await writeFile(out, await drawn(picture, out, response))
    if (json) return void printJson({ ...response, ...(out !== undefined && { out }) })
    const { width, height } = response.image
    const rows = response.results.map(({ phrase, box: { x1, y1, x2, y2 }, score }) => {
      const pixels = [x1, y1, x2, y2].map((pixel) => Number(pixel.toFixed(1)))
      return [phrase, ...pixels, score === undefined ? '' : score.toFixed(3)]
    })
    console.log(asTable(['phrase', 'x1', 'y1', 'x2', 'y2', 'score'], rows))
    console.error(`Pixels of ${width} × ${height}.${out === undefined ? '' : ` The picture with its boxes: ${out}`}`)
  })
}

async function drawn(picture: Blob, out: string, { image, results }: Response): Promise<Buffer> {
  const boxes = results.map(({ phrase, box }) => ({ phrase, ...box }))
  return drawOver(new Uint8Array(await picture.arrayBuffer()), boxesOver(image, boxes), out)
}
