/** A tiny random bundle that can do what the default model cannot: `grounding` finds boxes, `answering` picks answers. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { convertCheckpoint } from '../src/converter/convert.ts'
import { onTrunk, tinyHead, tinyTensors, writeSafetensors, writeTinyBpe } from './tiny-checkpoint.ts'

const HEADS = {
  grounding: { config: tinyHead(['text', 'image'], { classes: 4 }), task: 'refcoco', type: 'vl' },
  answering: { config: tinyHead(['text', 'audio'], { classes: 1 }), task: 'aqa', type: 'al' },
}

/** @returns its folder, in `dir` */
export async function writeTinyBundle(dir: string): Promise<string> {
  const bpeDir = join(dir, 'bpe')
  const checkpointPath = join(dir, 'base.safetensors')
  const trunk = tinyTensors()
  await mkdir(dir, { recursive: true })
  await writeTinyBpe(bpeDir)
  await writeSafetensors(checkpointPath, trunk)
  const heads = Object.entries(HEADS).map(([name, head], i) => ({
    ...head,
    name,
    checkpointPath: join(dir, `${name}.safetensors`),
    seed: 100 + i,
  }))
  for (const { config, task, type, checkpointPath: path, seed } of heads) {
    const cfg = { model: {}, task: { _name: task, head_type: type } }
    await writeSafetensors(path, onTrunk(trunk, config, seed), cfg)
  }
  const outDir = join(dir, 'bundle')
  const named = heads.map(({ name, checkpointPath: path }) => ({ name, checkpointPath: path }))
  await convertCheckpoint({ checkpointPath, bpeDir, outDir, heads: named, precision: 'fp32' })
  return outDir
}
