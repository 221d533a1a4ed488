/** `onepeace eval nano`: serves the default model from an empty data folder and runs its benchmark over HTTP. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { ConfigError, loadConfig } from '../config.ts'
import { type BenchmarkReport, runBenchmark } from '../eval/nano/benchmark.ts'
import { readSplits } from '../eval/nano/splits.ts'
import { buildApp } from '../http/app.ts'
import { twemojiPicture } from '../samples/artwork.ts'
import { openServices } from './compose.ts'

export interface EvalFlags {
  model?: string
  json?: boolean
}

const PICTURE_PX = 128

/** @throws ConfigError if there is no such benchmark */
export async function evaluate(benchmark: string, flags: EvalFlags): Promise<void> {
  if (benchmark !== 'nano') throw new ConfigError(`There is no benchmark '${benchmark}'; the only one is nano.`)
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-eval-'))
  try {
    const report = await serveAndMeasure(dataDir, flags)
    if (flags.json) console.log(JSON.stringify(report, null, 2))
    else print(report)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function serveAndMeasure(dataDir: string, flags: EvalFlags): Promise<BenchmarkReport> {
  const config = loadConfig({ data: dataDir, model: flags.model, port: '0' })
  const services = await openServices(config)
  const app = await buildApp(config, services)
  const bar = new SingleBar({ format: '{step} {bar} {value}/{total}', clearOnComplete: true })
  let current: string | undefined
  try {
    const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' })
    return await runBenchmark({
      url,
      splits: await readSplits(),
      picture,
      onProgress: (step, done, total) => {
        if (step !== current) bar.start(total, 0, { step })
        current = step
        bar.update(done)
      },
    })
  } finally {
    bar.stop()
    await app.close()
    await services.close()
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
