/** `onepeace eval nano`: serves the default model from an empty data folder and runs its benchmark over HTTP. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { SingleBar } from 'cli-progress'
import { openBundle } from '../bundle/open.ts'
import { loadConfig } from '../config.ts'
import { type Findings, runBenchmark } from '../eval/nano/benchmark.ts'
import type { OnProgress } from '../eval/nano/embedder.ts'
import { drawFigures } from '../eval/nano/figures/draw.ts'
import { readMaterial } from '../eval/nano/material.ts'
import { asText, type BenchmarkReport, type Image, writeReport } from '../eval/nano/report.ts'
import { readSplits, type Splits } from '../eval/nano/splits.ts'
import { buildApp } from '../http/app.ts'
import { renderDrawing } from '../media/image.ts'
import { twemojiFile, twemojiPicture } from '../samples/artwork.ts'
import { openModel, openServices } from './compose.ts'

export interface NanoFlags {
  model?: string
  /** Folder that `python -m training.material.benchmark` wrote. */
  material?: string
  json?: boolean
  /** Markdown file whose part between the markers is replaced. */
  report?: string
  /** Folder to draw the model card's pictures into. */
  figures?: string
}

const PICTURE_PX = 128

export async function evaluateNano(flags: NanoFlags): Promise<void> {
  const bar = new SingleBar({ format: '{step} {bar} {value}/{total}', clearOnComplete: true })
  let current: string | undefined
  const onProgress: OnProgress = (step, done, total) => {
    if (step !== current) bar.start(total, 0, { step })
    current = step
    bar.update(done)
  }
  const splits = await readSplits()
  const { report, ...findings } = await measureNano({ splits, ...flags, onProgress }).finally(() => bar.stop())
  console.log(flags.json ? JSON.stringify(report, null, 2) : asText(report))
  const drawn = flags.figures === undefined ? [] : await writeFigures(flags.figures, splits, findings)
  const { report: file } = flags
  if (file === undefined) return
  const images = drawn.map(({ path, alt }) => ({ path: relative(dirname(file), path).replaceAll('\\', '/'), alt }))
  await writeReport(file, report, images)
}

async function writeFigures(dir: string, splits: Splits, { space, overlays }: Findings): Promise<Image[]> {
  await mkdir(dir, { recursive: true })
  const images: Image[] = []
  for (const { name, alt, svg } of await drawFigures({ space, overlays, splits, artwork })) {
    const path = join(dir, `${name}.png`)
    await writeFile(path, await renderDrawing(svg))
    images.push({ path, alt })
  }
  return images
}

export interface MeasureOptions {
  splits: Splits
  model?: string
  material?: string
  onProgress?: OnProgress
}

/** Serves a bundle from an empty data folder and measures it over a socket; its heads, which have no route yet, in this process. */
export async function measureNano(options: MeasureOptions): Promise<Findings & { report: BenchmarkReport }> {
  const { splits, model, onProgress } = options
  const material = options.material === undefined ? undefined : await readMaterial(options.material)
  const dataDir = await mkdtemp(join(tmpdir(), 'onepeace-eval-'))
  const config = loadConfig({ data: dataDir, model })
  const services = await openServices(config)
  const app = await buildApp({ ...config, keys: undefined }, services)
  const { heads, close } = await openModel(config)
  const specs = (await openBundle(config.modelDir)).manifest.heads ?? []
  try {
    const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' })
    const findings = await runBenchmark({ url, splits, picture, material, heads, specs, onProgress })
    const { name, sha256 } = services.models.info
    const { rows, notMeasured } = findings
    return { ...findings, report: { model: { name, sha256 }, rows, notMeasured } }
  } finally {
    await close()
    await app.close()
    await services.close()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** An emoji's drawing as SVG source. */
async function artwork(hexcode: string): Promise<string> {
  return readFile(existing(hexcode, twemojiFile(hexcode)), 'utf8')
}

async function picture(hexcode: string): Promise<Uint8Array> {
  return existing(hexcode, await twemojiPicture(hexcode, PICTURE_PX))
}

function existing<T>(hexcode: string, drawing: T | undefined): T {
  if (drawing === undefined)
    throw new Error(`@twemoji/svg has no drawing ${hexcode}, which training/splits.json names.`)
  return drawing
}
