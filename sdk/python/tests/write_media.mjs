// Writes pictures and sounds that the default model knows into a folder, with the service's own sample makers.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { twemojiPicture } from '../../../dist/samples/artwork.js'
import { sampleSounds } from '../../../dist/samples/sounds.js'

const [dir] = process.argv.slice(2)
for (const [name, hexcode] of Object.entries({ pizza: '1F355', dog: '1F436' })) {
  await writeFile(join(dir, `${name}.png`), await twemojiPicture(hexcode, 128, 'white'))
}
for (const name of ['helicopter', 'rain']) {
  await writeFile(join(dir, `${name}.wav`), [...sampleSounds()].find((sound) => sound.name === name).render())
}
