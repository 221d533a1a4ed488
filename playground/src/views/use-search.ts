/** The state of a search: its parts, what was asked, what came. Lives above the views, so that it outlasts a look elsewhere. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import type { ProblemError } from '../api/client.ts'
import { bytesAt } from '../api/media.ts'
import {
  type Content,
  isGroundable,
  kindOfFile,
  likeCall,
  type Part,
  type SearchOptions,
  searchCall,
} from '../logic/parts.ts'
import { nameOf } from '../logic/words.ts'
import { headsFor, type Session } from '../session.ts'
import type { Shown } from '../ui/hit-card.tsx'
import { asProblem, useAsk } from '../ui/hooks.ts'

export const PAGE = 24
const MAX_LIMIT = 1000
/** Boxes are asked for one page at a time: each costs a run of the model. */
const MAX_GROUNDED = 100

let nextKey = 1
export const partOf = (content: Content): Part => ({ ...content, key: nextKey++, weight: 1 })

export function contentOfFile(file: File): Content {
  return { kind: kindOfFile(file), file, name: file.name || 'pasted' }
}

/** What an item holds, as a part of something else. @throws ProblemError */
export async function contentOfItem(item: Shown): Promise<Content> {
  const bytes = await bytesAt(item.media_url)
  const name = nameOf(item)
  return item.modality === 'text'
    ? { kind: 'text', text: await bytes.text() }
    : { kind: item.modality, file: bytes, name }
}

/** The chips that count, and the words in the field as one more. A chip at 0 waits: alone, the service would have nothing to look for. */
function queryOf(parts: readonly Part[], words: string): Part[] {
  const typed: Part[] = words.trim() === '' ? [] : [{ kind: 'text', text: words.trim(), key: 0, weight: 1 }]
  return [...parts.filter(({ weight }) => weight !== 0), ...typed]
}

export type Search = ReturnType<typeof useSearch>

export function useSearch(session: Session, firstWords: string | undefined) {
  const [words, setWords] = useState(firstWords ?? '')
  const [parts, setParts] = useState<Part[]>([])
  const [like, setLike] = useState<Shown>()
  const [options, setOptions] = useState<SearchOptions>({ modalities: [], limit: PAGE, diversity: 0, ground: false })
  const [asking, ask, clear] = useAsk<Schemas['SearchResponse']>()
  const [failure, setFailure] = useState<ProblemError>()
  const { collection, state } = session
  const canGround = headsFor(session, 'grounding').length > 0

  const query = queryOf(parts, words)
  const run = (typed = words): unknown => {
    setFailure(undefined)
    const query = queryOf(parts, typed)
    if (collection === '' || state !== 'ready') return undefined
    const limit = options.ground ? Math.min(options.limit, MAX_GROUNDED) : options.limit
    const asked = { ...options, limit, ground: options.ground && canGround }
    if (like) return ask(likeCall(collection, like.id, asked))
    if (query.length === 0) return clear()
    return ask(searchCall(collection, query, asked))
  }
  useEffect(() => void run(), [parts, like, options, collection, state])

  // An item belongs to its collection.
  const before = useRef(collection)
  useEffect(() => {
    if (before.current !== '' && before.current !== collection) setLike(undefined)
    before.current = collection
  }, [collection])

  const add = (...contents: Content[]) => {
    setLike(undefined)
    setOptions((now) => ({ ...now, limit: PAGE }))
    setParts((now) => [...now, ...contents.map(partOf)])
  }
  return {
    words,
    parts,
    like,
    options,
    asking,
    failure,
    canGround,
    isGroundable: isGroundable(query),
    canShowMore: options.limit < (options.ground && canGround ? MAX_GROUNDED : MAX_LIMIT),
    setWords,
    setParts,
    run,
    set: (more: Partial<SearchOptions>) => setOptions((now) => ({ ...now, limit: PAGE, ...more })),
    showMore: () => setOptions((now) => ({ ...now, limit: Math.min(MAX_LIMIT, now.limit + PAGE) })),
    /** Words replace an item that more like it was asked of; else what is there is asked once more. */
    submit: () => (like ? setLike(undefined) : run()),
    /** Asks for these words alone. */
    example: (text: string, modalities: SearchOptions['modalities']) => {
      setWords(text)
      setParts([])
      setOptions((now) => ({ ...now, limit: PAGE, modalities }))
    },
    addFiles: (files: readonly File[]) => add(...files.map(contentOfFile)),
    addWords: () => {
      add({ kind: 'text', text: words.trim() })
      setWords('')
    },
    addItem: (item: Shown) => contentOfItem(item).then(add, (error: unknown) => setFailure(asProblem(error))),
    moreLike: (item: Shown) => {
      setWords('')
      setParts([])
      setOptions((now) => ({ ...now, limit: PAGE }))
      setLike(item)
    },
    clear: () => {
      setWords('')
      setParts([])
      setLike(undefined)
      clear()
    },
  }
}
