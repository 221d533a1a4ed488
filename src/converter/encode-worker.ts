/** Worker thread that runs `encode` for `EncoderThread`; the result is moved, not copied. */
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { type EncodeTask, encode } from './encode.ts'

export default function encodeInWorker(task: EncodeTask): unknown {
  const encoded = encode(task)
  const buffers = [encoded.data.buffer, ...(encoded.scales ? [encoded.scales.buffer] : [])]
  return move({ [transferableSymbol]: buffers, [valueSymbol]: encoded })
}
