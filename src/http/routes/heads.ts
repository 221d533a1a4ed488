/** `/v1/ground`, `/v1/segment`, `/v1/classify`, `/v1/ask`: what the model says of one content, beyond its vector. */
import type { FastifyRequest } from 'fastify'
import type { ContentPart, LocalPart } from '../../services/content.ts'
import type { GroundedPhrase, LabelMap, Scores } from '../../services/heads.ts'
import { type Body, partsNamed, readBody } from '../body.ts'
import { type Caller, contentOf } from '../content-body.ts'
import { invalid, type Schemas } from '../openapi.ts'
import { raced } from '../plugins/deadline.ts'
import type { RouteContext } from '../route.ts'

export function headRoutes({ add, contract, deps: { heads, zeroShot, models, content } }: RouteContext): void {
  /** What `use` makes of the one input, fetched if it lies elsewhere. */
  const only = <T>(parts: readonly ContentPart[], request: FastifyRequest, use: (part: LocalPart) => Promise<T>) =>
    raced(request.deadline, content.withLocal(onlyPart(parts), use, request.deadline))
  add('groundPhrases', async (request): Promise<Schemas['GroundResponse']> => {
    const body = await readBody(request, contract, 'GroundRequest', 'GroundForm')
    const { phrases = [], head } = body.kind === 'json' ? body.json : body.form
    const parts =
      body.kind === 'json' ? contentOf(body.json.image, '/image', request.caller) : partsNamed(body.parts, ['file'])
    const {
      width,
      height,
      boxes,
      head: by,
    } = await only(parts, request, async (part) =>
      heads.ground(mediaOf(part, 'picture'), phrases, { head, scored: true }, request.deadline),
    )
    return { image: { width, height }, results: boxes.map(groundedBody), head: by, model: models.info.name }
  })
  add('segmentPicture', async (request): Promise<Schemas['SegmentResponse']> => {
    const body = await readBody(request, contract, 'SegmentRequest', 'SegmentForm')
    const { head } = body.kind === 'json' ? body.json : body.form
    const parts =
      body.kind === 'json' ? contentOf(body.json.image, '/image', request.caller) : partsNamed(body.parts, ['file'])
    const labelMap = await only(parts, request, async (part) =>
      heads.segment(mediaOf(part, 'picture'), { head }, request.deadline),
    )
    return { ...labelMapBody(labelMap), model: models.info.name }
  })
  add('classifyContent', async (request): Promise<Schemas['ClassifyResponse']> => {
    const body = await readBody(request, contract, 'ClassifyRequest', 'ClassifyForm')
    const { labels, template, head } = body.kind === 'json' ? body.json : body.form
    const input = inputOf(body, request.caller)
    if ((labels === undefined) === (head === undefined)) {
      throw invalid('Give either `labels` (zero-shot) or `head` (a fine-tuned head of the model).', [
        { pointer: '/labels', detail: 'must be given exactly where `head` is not' },
      ])
    }
    const model = models.info.name
    if (head === undefined) {
      const results = await raced(request.deadline, zeroShot.classify(input, labels!, template, request.deadline))
      return { results, model }
    }
    const scores = await only(input, request, (part) => heads.classify(textOrMedia(part), head, request.deadline))
    return { results: classBodies(scores), head, truncated: scores.truncated, model }
  })
  add('askQuestion', async (request): Promise<Schemas['AskResponse']> => {
    const body = await readBody(request, contract, 'AskRequest', 'AskForm')
    const { question, candidates, head } = body.kind === 'json' ? body.json : body.form
    const answer = await only(inputOf(body, request.caller), request, async (part) =>
      heads.answer(mediaOf(part), question, { head, candidates }, request.deadline),
    )
    const answers = answer.scores
      .slice(0, MAX_ANSWERS)
      .map(({ label, index, score }) => ({ answer: label ?? String(index), score }))
    return { answers, head: answer.head, truncated: answer.truncated, model: models.info.name }
  })
}

/** Of a head's thousands of answers, those worth sending. */
const MAX_ANSWERS = 100

type InputBody =
  | { kind: 'json'; json: { input: Schemas['Content'] } }
  | { kind: 'form'; form: object; parts: Parameters<typeof partsNamed>[0] }

function inputOf(
  body: InputBody | Body<'ClassifyRequest', 'ClassifyForm'> | Body<'AskRequest', 'AskForm'>,
  caller: Caller,
) {
  return body.kind === 'json' ? contentOf(body.json.input, '/input', caller) : partsNamed(body.parts, ['file', 'text'])
}

function onlyPart(parts: readonly ContentPart[]): ContentPart {
  const [part, ...others] = parts
  if (part && others.length === 0) return part
  throw invalid(`A head takes exactly one input; the request holds ${parts.length}.`)
}

function textOrMedia(part: LocalPart): Uint8Array | string {
  return part.kind === 'text' ? part.text : part.bytes
}

function mediaOf(part: LocalPart, expected = 'picture or sound'): Uint8Array {
  if (part.kind === 'media') return part.bytes
  throw invalid(`The input must be a ${expected}, not text.`)
}

function groundedBody({ phrase, box, pixels, score, truncated }: GroundedPhrase): Schemas['GroundedPhrase'] {
  return {
    phrase,
    box: boxBody(pixels),
    box_normalized: boxBody(box),
    ...(score !== undefined && { score }),
    truncated,
  }
}

export function boxBody([x1, y1, x2, y2]: GroundedPhrase['box']): Schemas['Box'] {
  return { x1, y1, x2, y2 }
}

function labelMapBody({
  head,
  picture,
  width,
  height,
  data,
  labels,
}: LabelMap): Omit<Schemas['SegmentResponse'], 'model'> {
  const runs = runsOf(data)
  const places = new Map<number, number>()
  for (const [found, length] of runs) places.set(found, (places.get(found) ?? 0) + length)
  const classes = [...places]
    .map(([index, count]) => ({ class: index, label: labels?.[index] ?? String(index), share: count / data.length }))
    .sort((a, b) => b.share - a.share)
  return { image: picture, map: { width, height, runs }, classes, head }
}

function runsOf(data: Uint8Array): [number, number][] {
  const runs: [number, number][] = []
  for (const value of data) {
    const last = runs.at(-1)
    if (last?.[0] === value) last[1]++
    else runs.push([value, 1])
  }
  return runs
}

/** A head's probability is its score; classes whose names the bundle does not know bear their number. */
function classBodies({ scores }: Scores): Schemas['LabelScore'][] {
  return scores.map(({ label, index, score }) => ({ label: label ?? String(index), score, probability: score }))
}
