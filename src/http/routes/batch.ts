/**
 * `/v1/collections/{collection}/items/batch`: an item a line in, a result a line out, in order, as it finishes. A bad line
 * fails alone. Memory is bounded by the lines in work, not by the body.
 */
import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { KeyedSerial } from '../../serial.ts'
import { contentOf } from '../content-body.ts'
import { jsonOfLine } from '../import-line.ts'
import { itemBody } from '../item-body.ts'
import { inOrder, type Line, linesOf, NDJSON } from '../ndjson.ts'
import { invalid, type Schemas } from '../openapi.ts'
import { toldProblem } from '../plugins/problem-details.ts'
import type { RouteContext } from '../route.ts'
import { writeKeyOf } from '../write-key.ts'

/** Lines in work at once: enough to fill the encoder's batches. */
const LINES_AT_ONCE = 16

type Result = Schemas['BatchResult']

export function batchRoutes({ add, contract, deps: { forTenant, models, writeOnce } }: RouteContext): void {
  const create = async (request: FastifyRequest, line: Line, index: number, turns: KeyedSerial) => {
    const json = contract.check('ItemRequest', jsonOfLine(line))
    const { id, input, metadata } = json
    const collection = String(request.checked.collection)
    const draft = { content: contentOf(input, '/input', request.caller), metadata }
    const { items } = forTenant(request.caller.tenant)
    const key = await writeKeyOf(request, { kind: 'json', json })
    const keep = () =>
      writeOnce.run(key && { ...key, line: index }, async (attempt) =>
        itemBody(collection, await items.create(collection, id, draft, request.deadline, attempt)),
      )
    // Of lines with one id the first is to win, whichever is encoded sooner.
    return (await (id === undefined ? keep() : turns.run(id, keep))).answer
  }
  const write = async (request: FastifyRequest, line: Line, index: number, turns: KeyedSerial): Promise<Result> => {
    try {
      return { index, status: 201, item: await create(request, line, index, turns) }
    } catch (error) {
      const { problem } = toldProblem(error, request)
      return { index, status: problem.status, error: problem }
    }
  }
  add(
    'createItems',
    async (request, reply) => {
      // What holds for every line is told at once.
      await forTenant(request.caller.tenant).collections.get(String(request.checked.collection))
      if (!(request.body instanceof Readable)) throw invalid('The request has no body; send an item a line.')
      const lines = linesOf(request.body, models.info.limits.maxRequestBytes)
      let count = 0
      const turns = new KeyedSerial()
      // The lines are written as the client reads, outside of the handler.
      const writeOne = (line: Line) => request.trace.run(() => write(request, line, count++, turns))
      const results = inOrder(lines, LINES_AT_ONCE, writeOne)
      return reply.type(NDJSON).send(Readable.from(written(results)))
    },
    { bodyLimit: Number.MAX_SAFE_INTEGER, contentTypes: [NDJSON] },
  )
}

async function* written(results: AsyncIterable<Result>): AsyncGenerator<string> {
  for await (const result of results) yield `${JSON.stringify(result)}\n`
}
