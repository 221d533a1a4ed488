/** `/v1/similarity`: cosines between two lists of contents. */

import { contentsNamed, readBody } from '../body.ts'
import { contentsOf } from '../content-body.ts'
import type { Schemas } from '../openapi.ts'
import { raced } from '../plugins/deadline.ts'
import type { RouteContext } from '../route.ts'

export function similarityRoutes({ add, contract, deps }: RouteContext): void {
  add('compareContents', async (request): Promise<Schemas['SimilarityResponse']> => {
    const body = await readBody(request, contract, 'SimilarityRequest', 'SimilarityForm')
    const side = (name: 'a' | 'b') =>
      body.kind === 'json' ? contentsOf(body.json[name], `/${name}`, request.caller) : contentsNamed(body.parts, [name])
    const scores = deps.embed.similarity(side('a'), side('b'), request.deadline)
    return { scores: await raced(request.deadline, scores) }
  })
}
