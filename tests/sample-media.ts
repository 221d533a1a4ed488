/** Pictures and sounds that the default model knows, as files: drawn from Twemoji's artwork, synthesised here. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { twemojiPicture } from '../src/samples/artwork.ts'
import { sampleSounds } from '../src/samples/sounds.ts'

const PICTURES = { pizza: '1F355', dog: '1F436', guitar: '1F3B8' }
const SOUNDS = ['helicopter', 'rain']

export async function samplePicture(name: keyof typeof PICTURES): Promise<Buffer> {
  return (await twemojiPicture(PICTURES[name], 128, 'white'))!
}

export function sampleSound(name: string): Buffer {
  return [...sampleSounds()].find((sound) => sound.name === name)!.render()
}

/** `pizza.png`, `dog.png`, `guitar.png`, `helicopter.wav` and `rain.wav`. */
export async function writeSampleMedia(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  for (const name of Object.keys(PICTURES)) {
    await writeFile(join(dir, `${name}.png`), await samplePicture(name as keyof typeof PICTURES))
  }
  for (const name of SOUNDS) await writeFile(join(dir, `${name}.wav`), sampleSound(name))
}
