/** The request of each action but search (see logic/parts.ts). */
import { type Content, fieldOf } from '../logic/parts.ts'
import type { ApiCall, FormField } from './call.ts'

const collectionPath = (collection: string) => `/v1/collections/${encodeURIComponent(collection)}`

export const modelsCall = (): ApiCall => ({ method: 'GET', path: '/v1/models' })
export const collectionsCall = (): ApiCall => ({ method: 'GET', path: '/v1/collections' })
export const createCollectionCall = (name: string): ApiCall => ({
  method: 'POST',
  path: '/v1/collections',
  json: { name },
})

export const listItemsCall = (collection: string, limit: number, cursor?: string): ApiCall => ({
  method: 'GET',
  path: `${collectionPath(collection)}/items?limit=${limit}${cursor === undefined ? '' : `&cursor=${cursor}`}`,
})

/** The name is kept in the metadata, for people to know the item by. */
export function addItemCall(collection: string, content: Content): ApiCall {
  const path = `${collectionPath(collection)}/items`
  if (content.kind === 'text') return { method: 'POST', path, json: { input: content.text } }
  const metadata = { name: 'metadata', text: JSON.stringify({ name: content.name }) }
  return { method: 'POST', path, form: [fieldOf(content), metadata] }
}

export function zeroShotCall(content: Content, labels: readonly string[], template: string): ApiCall {
  const options = { labels: [...labels], ...(template !== '' && { template }) }
  if (content.kind === 'text')
    return { method: 'POST', path: '/v1/classify', json: { input: content.text, ...options } }
  const form = [
    fieldOf(content),
    ...repeated('labels', labels),
    ...(template === '' ? [] : repeated('template', [template])),
  ]
  return { method: 'POST', path: '/v1/classify', form }
}

export function headCall(content: Content, head: string): ApiCall {
  if (content.kind === 'text') return { method: 'POST', path: '/v1/classify', json: { input: content.text, head } }
  return { method: 'POST', path: '/v1/classify', form: [fieldOf(content), ...repeated('head', [head])] }
}

export const groundCall = (picture: Content, phrases: readonly string[], head: string): ApiCall => ({
  method: 'POST',
  path: '/v1/ground',
  form: [fieldOf(picture), ...repeated('phrases', phrases), ...repeated('head', [head])],
})

export const segmentCall = (picture: Content, head: string): ApiCall => ({
  method: 'POST',
  path: '/v1/segment',
  form: [fieldOf(picture), ...repeated('head', [head])],
})

export const askCall = (medium: Content, question: string, candidates: readonly string[]): ApiCall => ({
  method: 'POST',
  path: '/v1/ask',
  form: [fieldOf(medium), ...repeated('question', [question]), ...repeated('candidates', candidates)],
})

/** A page of everything there is, with its vectors: the order is by nearness to the words, which does not matter here. */
export const vectorsCall = (collection: string, limit: number, offset: number): ApiCall => ({
  method: 'POST',
  path: `${collectionPath(collection)}/search`,
  json: { query: 'everything', limit, offset, include: ['metadata', 'embedding'] },
})

function repeated(name: string, values: readonly string[]): FormField[] {
  return values.map((text) => ({ name, text }))
}
