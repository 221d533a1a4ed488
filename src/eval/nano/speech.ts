/** Words spoken by espeak-ng, the program that also spoke the training clips, in voices it did not lend to them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Voice {
  /** espeak-ng's name, e.g. `en-us+m3`. */
  name: string
  speedWpm: number
  /** 0 to 99 */
  pitch: number
}

/** Whether espeak-ng can be called. */
export async function hasSpeech(): Promise<boolean> {
  return run('espeak-ng', ['--version']).then(
    () => true,
    () => false,
  )
}

/** WAV bytes of a spoken word. */
export async function speak(word: string, voice: Voice): Promise<Buffer> {
  const options = ['-v', voice.name, '-s', `${voice.speedWpm}`, '-p', `${voice.pitch}`, '--stdout']
  const { stdout } = await run('espeak-ng', [...options, '--', word], { encoding: 'buffer', maxBuffer: 16 * 2 ** 20 })
  return mendStreamedSizes(stdout)
}

/** Writing to a pipe, espeak-ng cannot know how long the sound will be and states a length of nearly 2 GiB. */
function mendStreamedSizes(wav: Buffer): Buffer {
  const data = wav.indexOf('data', 12, 'latin1')
  wav.writeUInt32LE(wav.length - 8, 4)
  wav.writeUInt32LE(wav.length - data - 8, data + 4)
  return wav
}
