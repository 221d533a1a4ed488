/** The measurements of conversion and precision run, at their smallest size, so that they cannot rot. Nothing asserts a time. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const bench = (name: string) => fileURLToPath(new URL(`../../bench/${name}.mjs`, import.meta.url))
/** An interpreter with torch and numpy, as training has. */
const python = process.env.ONEPEACE_TORCH_PYTHON

let dir: string
let checkpoint: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onepeace-benches-'))
  checkpoint = join(dir, 'smoke.pt')
  await run(process.execPath, [bench('make-checkpoint'), checkpoint, '--shape', 'smoke', '--dtype', 'bf16'])
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** What the measurement writes with `--json`. */
async function measure(name: string, ...args: string[]) {
  const json = join(dir, `${name}.json`)
  const { stdout } = await run(process.execPath, [bench(name), ...args, '--json', json])
  expect(stdout).toContain('onnxruntime')
  return JSON.parse(await readFile(json, 'utf8'))
}

describe('a measurement', () => {
  it('of conversion gives rate and memory for each precision', async () => {
    const { precisions } = await measure('convert', checkpoint, `${checkpoint}.bpe`, '--precisions', 'fp16,int4')
    expect(Object.keys(precisions)).toEqual(['fp16', 'int4'])
    expect(precisions.int4.bundleBytes).toBeLessThan(precisions.fp16.bundleBytes)
  }, 60_000)

  it('of fidelity gives cosines for each modality, those of fp32 to itself being 1', async () => {
    const args = [checkpoint, `${checkpoint}.bpe`, '--precisions', 'fp32,int8', '--smoke']
    const { precisions } = await measure('fidelity', ...args)
    for (const modality of ['text', 'image', 'audio']) {
      expect(precisions.fp32[modality].leastCosine).toBeCloseTo(1, 6)
      expect(precisions.int8[modality].leastCosine).toBeGreaterThan(0.99)
    }
  }, 60_000)

  it('of full size gives time, memory and the start', async () => {
    const { precision, times, residentBytes } = await measure('full-size', '--smoke')
    expect(precision).toBe('int8')
    expect(times.runs).toBeGreaterThan(0)
    expect(residentBytes).toBeGreaterThan(0)
  }, 60_000)

  it('of the matrix rate gives the share', async () => {
    const { results } = await measure('matrix-rate', '--smoke')
    expect(results.map(({ batch }: { batch: number }) => batch)).toEqual([1, 8])
  }, 60_000)

  it.skipIf(!python)(
    'against PyTorch finds the same embeddings, as fp32',
    async () => {
      const { results } = await measure('against-pytorch', python!, '--smoke')
      expect(results).toHaveLength(6)
      for (const { cosines } of results) expect(cosines.fp32).toBeCloseTo(1, 5)
    },
    120_000,
  )
})
