/** Words spoken by espeak-ng, the program that also spoke the training clips, in voices it did not lend to them. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** One espeak-ng a word, but all of them started by one small shell: to fork the evaluator takes longer than to speak. */
const SPEAK_EACH =
  'voice=$1 speed=$2 pitch=$3; shift 3; n=0; for word do ' +
  'espeak-ng -v "$voice" -s "$speed" -p "$pitch" -w "$n.wav" -- "$word" || exit; n=$((n + 1)); done'

/** WAV files of spoken words, in order. */
export async function speak(words: readonly string[], { name, speedWpm, pitch }: Voice): Promise<Buffer[]> {
  const dir = await mkdtemp(join(tmpdir(), 'onepeace-speech-'))
  try {
    await run('sh', ['-c', SPEAK_EACH, 'sh', name, `${speedWpm}`, `${pitch}`, ...words], { cwd: dir })
    return await Promise.all(words.map((_, n) => readFile(join(dir, `${n}.wav`))))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
