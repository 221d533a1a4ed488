/** Makes small PNG files for tests, among them ones whose header lies (PNG specification, §5 and §11). */
import { crc32, deflateSync } from 'node:zlib'

/** @param colourType 0 grey, 2 RGB, 6 RGBA; 8 bits each */
export function png(width: number, height: number, colourType: 0 | 2 | 6, samples: readonly number[]): Uint8Array {
  const rowBytes = samples.length / height
  const rows = Array.from({ length: height }, (_, y) => [0, ...samples.slice(y * rowBytes, (y + 1) * rowBytes)])
  return pngHeader(width, height, colourType, deflateSync(Buffer.from(rows.flat())))
}

/** A PNG with the given header and, as pixels, whatever deflated bytes. */
export function pngHeader(width: number, height: number, colourType: number, deflated: Uint8Array): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, colourType], 8)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  const end = chunk('IEND', new Uint8Array())
  return new Uint8Array(Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflated), end]))
}

function chunk(type: string, body: Uint8Array): Buffer {
  const typed = Buffer.concat([Buffer.from(type), body])
  const framed = Buffer.alloc(typed.length + 8)
  framed.writeUInt32BE(body.length, 0)
  framed.set(typed, 4)
  framed.writeUInt32BE(crc32(typed), typed.length + 4)
  return framed
}
