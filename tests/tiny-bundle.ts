/** A tiny random bundle that can do what the default model cannot: `grounding` finds boxes, `answering` picks answers. */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
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
  const heads = Object.keys(HEADS).map((name) => ({ name, checkpointPath: join(dir, `${name}.safetensors`) }))
  await writeTinyBpe(bpeDir)
  await writeCheckpoints(
    checkpointPath,
    heads.map((head) => head.checkpointPath),
  )
  const outDir = join(dir, 'bundle')
  await convertCheckpoint({ checkpointPath, bpeDir, outDir, heads, precision: 'fp32' })
  return outDir
}

/** Tiny checkpoints under the official names, as `onepeace pull one-peace bpe refcocog aqa` would leave them. */
export async function writeTinyOfficial(dir: string): Promise<void> {
  await writeTinyBpe(dir)
  const heads = ['finetune_refcocog.pt', 'finetune_aqa.pt']
  await writeCheckpoints(
    join(dir, 'one-peace.pt'),
    heads.map((name) => join(dir, name)),
  )
}

/** @param headPaths where HEADS go, in their order */
async function writeCheckpoints(basePath: string, headPaths: readonly string[]): Promise<void> {
  const trunk = tinyTensors()
  await mkdir(dirname(basePath), { recursive: true })
  await writeSafetensors(basePath, trunk)
  for (const [i, { config, task, type }] of Object.values(HEADS).entries()) {
    const cfg = { model: {}, task: { _name: task, head_type: type } }
    await writeSafetensors(headPaths[i]!, onTrunk(trunk, config, 100 + i), cfg)
  }
}
