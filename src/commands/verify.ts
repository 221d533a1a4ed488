/** `onepeace verify`: proves a bundle equal to the reference on a folder of golden data. */

import { join } from 'node:path'
import { type Bundle, openBundle, verifyHashes } from '../bundle/open.ts'
import { type GraphSession, openGraph } from '../encoder/onnx-session.ts'
import { Goldens } from '../eval/goldens.ts'
import { type CaseResult, type RunGraph, type VerifyReport, verifyBundle } from '../eval/verify-bundle.ts'
import { Tokenizer } from '../preprocess/tokenizer.ts'
import { printJson } from '../terminal/print.ts'

export interface VerifyFlags {
  checkpoint: string
  json?: boolean
}

/** Sets exit code 1 if a case is out of tolerance or none ran. */
export async function verify(bundleDir: string, goldensDir: string, flags: VerifyFlags): Promise<void> {
  const report = await verifyFolder(bundleDir, goldensDir, flags.checkpoint)
  if (flags.json) printJson(report)
  else print(report)
  if (!report.passed) process.exitCode = 1
}

/** @throws BundleError, and Error if the goldens cannot be read */
export async function verifyFolder(bundleDir: string, goldensDir: string, checkpoint: string): Promise<VerifyReport> {
  const bundle = await openBundle(bundleDir)
  await verifyHashes(bundle)
  const goldens = await Goldens.open(goldensDir)
  const sessions = new Map<string, GraphSession>()
  const run: RunGraph = async (graph, inputs) => {
    const session = sessions.get(graph) ?? (await openGraph(join(bundle.dir, graph)))
    sessions.set(graph, session)
    return session.run(inputs)
  }
  try {
    return await verifyBundle(bundle.manifest, goldens, checkpoint, run, await tokenizerOf(bundle))
  } finally {
    for (const session of sessions.values()) await session.close()
  }
}

async function tokenizerOf({ dir, manifest }: Bundle): Promise<Tokenizer | undefined> {
  if (!manifest.tokenizer) return undefined
  const { encoder, merges, dictionary } = manifest.tokenizer
  return Tokenizer.load({
    encoder: join(dir, encoder),
    merges: join(dir, merges),
    dictionary: join(dir, dictionary),
  })
}

function print(report: VerifyReport): void {
  for (const result of report.cases) console.log(caseLine(result))
  for (const { name, reason } of report.leftOut) console.log(`left out  ${name}: ${reason}`)
  const passed = report.cases.filter((result) => result.passed).length
  console.log(
    `${passed} of ${report.cases.length} cases of ${report.checkpoint} within tolerance` +
      `${report.cases.length === 0 ? ': none ran, so nothing is proven' : ''}.`,
  )
}

function caseLine(result: CaseResult): string {
  const { leastCosine, maxHiddenDifference, outputs = [], tokensEqual } = result
  const parts = [
    result.passed ? 'ok      ' : 'FAILED  ',
    result.name.padEnd(24),
    result.kind.padEnd(6),
    `max |difference| ${result.maxDifference.toExponential(2)}`,
  ]
  if (leastCosine !== undefined) parts.push(`least cosine ${leastCosine.toFixed(9)}`)
  if (maxHiddenDifference !== undefined) parts.push(`hidden ${maxHiddenDifference.toExponential(2)}`)
  for (const { name, maxDifference, passed } of outputs) {
    parts.push(`${name} ${maxDifference.toExponential(2)}${passed ? '' : ' FAILED'}`)
  }
  if (tokensEqual !== undefined) parts.push(tokensEqual ? 'token ids equal' : 'TOKEN IDS DIFFER')
  return parts.join('  ')
}
