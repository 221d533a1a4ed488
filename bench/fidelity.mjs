/**
 * What does each precision of a model change, and what does it cost? Converts a checkpoint at every precision and embeds the same
 * pictures, sounds and texts (files to embedding, as the service does it), one precision after the other.
 *
 *   node bench/fidelity.mjs CHECKPOINT BPE_FOLDER [--precisions fp32,fp16,int8,int8-block,int4] [--json FILE] [--report docs/precision.md]
 *                           [--retrieval] [--smoke]
 *
 * Cosines are to fp32, least and median over the items of a modality. `--retrieval` searches all names and pictures of the
 * default model's benchmark (`onepeace eval nano`), which takes minutes. `--report` replaces the table between the markers.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openModel } from '../dist/commands/compose.js'
import { loadConfig } from '../dist/config.js'
import { convertCheckpoint } from '../dist/converter/convert.js'
import { rankAmong } from '../dist/eval/metrics.js'
import { readEmoji, twemojiFile, twemojiPicture } from '../dist/samples/artwork.js'
import { sampleSounds } from '../dist/samples/sounds.js'
import { machineLine, median, table, writeJson } from './report.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    precisions: { type: 'string', default: 'fp32,fp16,int8,int8-block,int4' },
    json: { type: 'string' },
    report: { type: 'string' },
    retrieval: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  },
})
const [checkpointPath, bpeDir] = positionals
const precisions = values.precisions.split(',')
const ITEMS = values.smoke ? 2 : 40

/** Pictures with the names that they should be found by, sounds, and texts. */
async function material(pictures) {
  const drawn = (await readEmoji()).filter(({ hexcode, group }) => group !== undefined && twemojiFile(hexcode))
  const step = Math.max(1, Math.floor(drawn.length / pictures))
  const chosen = drawn.filter((_, i) => i % step === 0).slice(0, pictures)
  return {
    image: await Promise.all(chosen.map(async ({ hexcode }) => media(await twemojiPicture(hexcode, 160)))),
    text: chosen.map(({ name }) => ({ kind: 'text', text: name, weight: 1 })),
    audio: [...sampleSounds()].slice(0, pictures).map(({ render }) => media(render())),
  }
}
const media = (bytes) => ({ kind: 'media', bytes, weight: 1 })

/** { modality: { vectors, medianMs } } of a bundle, one item at a time. */
async function embedAll(content, items) {
  const result = {}
  for (const [modality, parts] of Object.entries(items)) {
    const [vectors, times] = [[], []]
    for (const part of parts) {
      const start = performance.now()
      vectors.push((await content.encode([part])).vector)
      times.push(performance.now() - start)
    }
    result[modality] = { vectors, ms: median(times) }
  }
  return result
}

const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0)

function recallAtOne(queries, candidates) {
  const ranks = queries.map((query, i) => rankAmong(query, candidates, i))
  return (100 * ranks.filter((rank) => rank === 0).length) / ranks.length
}

const dir = await mkdtemp(join(tmpdir(), 'onepeace-fidelity-'))
try {
  const items = await material(ITEMS)
  const gallery = values.retrieval ? await material(Number.MAX_SAFE_INTEGER) : undefined
  const measured = {}
  let reference
  for (const precision of precisions) {
    const outDir = join(dir, precision)
    const { manifest } = await convertCheckpoint({ checkpointPath, bpeDir, outDir, precision })
    const served = Object.fromEntries(
      Object.entries(items).filter(([modality]) => manifest.modalities.includes(modality)),
    )
    const model = await openModel(loadConfig({ model: outDir }, { ...process.env, ONEPEACE_CACHE_BYTES: '0' }))
    try {
      await embedAll(
        model.content,
        Object.fromEntries(Object.entries(served).map(([name, parts]) => [name, parts.slice(0, 2)])),
      )
      const embedded = await embedAll(model.content, served)
      reference ??= embedded
      const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
      measured[precision] = { megabytes: bytes / 1e6, ...compared(embedded, reference) }
      if (gallery) measured[precision].retrieval = await retrieval(model.content, gallery)
    } finally {
      await model.close()
    }
    await rm(outDir, { recursive: true })
  }
  const report = { model: positionals[0].split('/').at(-1), machine: machineLine(), items: ITEMS, precisions: measured }
  console.log(`${report.model}; ${report.machine}\n\n${asMarkdown(report)}`)
  if (values.json) await writeJson(values.json, report)
  if (values.report) await replaceTable(values.report, report)
} finally {
  await rm(dir, { recursive: true, force: true })
}

function compared(embedded, reference) {
  return Object.fromEntries(
    Object.entries(embedded).map(([modality, { vectors, ms }]) => {
      const cosines = vectors.map((vector, i) => cosine(vector, reference[modality].vectors[i]))
      return [modality, { ms, leastCosine: Math.min(...cosines), medianCosine: median(cosines) }]
    }),
  )
}

async function retrieval(content, { text, image }) {
  const embed = (parts) => Promise.all(parts.map(async (part) => (await content.encode([part])).vector))
  const [names, pictures] = [await embed(text), await embed(image)]
  return { trials: names.length, textToImage: recallAtOne(names, pictures), imageToText: recallAtOne(pictures, names) }
}

function asMarkdown({ precisions: all }) {
  const modalities = ['text', 'image', 'audio'].filter((modality) => Object.values(all)[0][modality])
  const head = ['precision', 'size', ...modalities.flatMap((modality) => [`${modality}: cosine, least / median`, 'ms'])]
  const withRetrieval = Object.values(all)[0].retrieval !== undefined
  if (withRetrieval) head.push('text → image, first', 'image → text, first')
  const rows = Object.entries(all).map(([precision, { megabytes, retrieval: found, ...by }]) => [
    precision,
    `${megabytes.toFixed(0)} MB`,
    ...modalities.flatMap((modality) => {
      const { leastCosine, medianCosine, ms } = by[modality]
      return [`${leastCosine.toFixed(5)} / ${medianCosine.toFixed(5)}`, ms.toFixed(1)]
    }),
    ...(withRetrieval ? [`${found.textToImage.toFixed(1)} %`, `${found.imageToText.toFixed(1)} %`] : []),
  ])
  return table(head, rows)
}

async function replaceTable(file, report) {
  const [begin, end] = [`<!-- fidelity ${report.model} -->`, `<!-- end -->`]
  const text = await readFile(file, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end, text.indexOf(begin))]
  if (from < 0 || to < 0) throw new Error(`${file} has no lines ${begin} and ${end} to put the table between.`)
  await writeFile(
    file,
    `${text.slice(0, from + begin.length)}\n${asMarkdown(report)}\n\n${report.machine}\n${text.slice(to)}`,
  )
}
