/** Worker thread that runs `prepareAudio` for `AudioPreparer`; the windows are moved, not copied. */
import { transferableSymbol, valueSymbol } from 'piscina'
import { prepareAudio, type Sound } from './waveform.ts'

export default function prepareInWorker(sound: Sound): unknown {
  const windows = prepareAudio(sound)
  return { [transferableSymbol]: windows.map(({ waveform }) => waveform.buffer), [valueSymbol]: windows }
}
