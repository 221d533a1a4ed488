/** Worker thread that runs `prepareAudio` for `AudioPreparer`; the windows are moved, not copied. */

import { move, transferableSymbol, valueSymbol } from 'piscina'
import { MEDIA_NICE, standBack } from '../processor.ts'
import { prepareAudio, type Sound } from './waveform.ts'

standBack(MEDIA_NICE)

export default function prepareInWorker(sound: Sound): unknown {
  const windows = prepareAudio(sound)
  const buffers = windows.map(({ waveform }) => waveform.buffer)
  return move({ [transferableSymbol]: buffers, [valueSymbol]: windows })
}
