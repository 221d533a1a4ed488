/** `onepeace eval nano`: serves the default model from an empty data folder and runs its benchmark over HTTP. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { ConfigError, loadConfig } from '../config.ts'
import { type BenchmarkOptions, type BenchmarkReport, runBenchmark } from '../eval/nano/benchmark.ts'
import { readSplits, type Splits } from '../eval/nano/splits.ts'
import { buildApp } from '../http/app.ts'
import { twemojiPicture } from '../samples/artwork.ts'
import { openServices } from './compose.ts'

export interface EvalFlags {
  model?: string
  json?: boolean
}

const PICTURE_PX = 128

type Progress = BenchmarkOptions['onProgress']

/** @throws ConfigError if there is no such benchmark */
export async function evaluate(benchmark: string, flags: EvalFlags): Promise<void> {
  if (benchmark !== 'nano') throw new ConfigError(`There is no benchmark '${benchmark}'; the only one is nano.`)
  const bar = new SingleBar({ format: '{step} {bar} {value}/{total}', clearOnComplete: true })
  let current: string | undefined
  const onProgress: Progress = (step, done, total) => {
    if (step !== current) bar.start(total, 0, { step })
    current = step
    bar.update(done)
  }
  const report = await measureNano(await readSplits(), flags.model, onProgress).finally(() => bar.stop())
  if (flags.json) console.log(JSON.stringify(report, null, 2))
  else print(report)
}

/** Serves a bundle from an empty data folder and measures it over a socket. */
export async function measureNano(splits: Splits, model?: string, onProgress?: Progress): Promise<BenchmarkReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-eval-'))
  const config = loadConfig({ data: dataDir, model })
  const services = await openServices(config)
  const app = await buildApp(config, services)
  try {
    const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' })
    return await runBenchmark({ url, splits, picture, onProgress })
  } finally {
    await app.close()
    await services.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function picture(hexcode: string): Promise<Uint8Array> {
  const png = await twemojiPicture(hexcode, PICTURE_PX)
  if (!png) throw new Error(`@twemoji/svg has no drawing ${hexcode}, which training/splits.json names.`)
  return png
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

function print({ rows, leftOut }: BenchmarkReport): void {
  for (const { task, setting, recalls } of rows) {
    console.log(`${task}  (${setting}; ${recalls[0]!.queries} queries)`)
    for (const { k, recall, interval, chance } of recalls) {
      const [low, high] = interval.map(percent)
      console.log(
        `  R@${`${k}`.padEnd(3)} ${percent(recall).padStart(7)}   95 %: ${low} to ${high}   chance ${percent(chance)}`,
      )
    }
  }
  for (const { task, reason } of leftOut) console.log(`LEFT OUT  ${task}: ${reason}.`)
}
