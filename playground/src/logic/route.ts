/** The part of the address after `#`: which view, of which collection, with which words. The service never sees it. */
export const VIEWS = ['search', 'look', 'add', 'map'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  collection?: string
  words?: string
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const params = new URLSearchParams(query)
  const collection = params.get('in')
  const words = params.get('q')
  return {
    view: VIEWS.find((view) => view === path) ?? 'search',
    ...(collection && { collection }),
    ...(words && { words }),
  }
}

export function hashOf({ view, collection, words }: Route): string {
  const params = new URLSearchParams({ ...(collection && { in: collection }), ...(words && { q: words }) })
  return `#/${view}${params.size > 0 ? `?${params}` : ''}`
}
