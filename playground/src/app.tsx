/** The page: a header, one of four views, and what they share. */
import { useEffect, useState } from 'preact/hooks'
import type { ProblemError } from './api/client.ts'
import type { Content } from './logic/parts.ts'
import { hashOf, VIEWS, type View } from './logic/route.ts'
import { useRoute } from './routing.ts'
import { SessionProvider, useNewSession } from './session.ts'
import { useDrop } from './ui/capture.tsx'
import { Header } from './ui/header.tsx'
import type { ItemActions } from './ui/hit-card.tsx'
import { asProblem } from './ui/hooks.ts'
import { ProblemNote } from './ui/problem.tsx'
import { AddView } from './views/add.tsx'
import { LookView } from './views/look.tsx'
import { MapView } from './views/map.tsx'
import { SearchView } from './views/search.tsx'
import { contentOfFile, contentOfItem, useSearch } from './views/use-search.ts'
import { useUploads } from './views/use-uploads.ts'

const VIEW_NAMES: Record<View, string> = { search: 'Search', look: 'Look closer', add: 'Add', map: 'Map' }

export function App() {
  const [route, go] = useRoute()
  const session = useNewSession(route.collection)
  const search = useSearch(session, route.words)
  const uploads = useUploads(session)
  const [subject, setSubject] = useState<Content>()
  const [failure, setFailure] = useState<ProblemError>()
  const { view } = route
  const show = (next: View) => {
    location.hash = hashOf({ view: next, collection: session.collection })
    scrollTo(0, 0)
  }
  const actions: ItemActions = {
    onLike: (item) => {
      search.moreLike(item)
      show('search')
    },
    onAdd: (item) => void search.addItem(item),
    onLook: async (item) => {
      try {
        setSubject(await contentOfItem(item))
        show('look')
      } catch (error) {
        setFailure(asProblem(error))
      }
    },
  }
  const isOver = useDrop((files) => {
    if (view === 'add') uploads.add(files.map(contentOfFile))
    else if (view === 'look') setSubject(contentOfFile(files[0]!))
    else search.addFiles(files)
  })
  useEffect(() => {
    document.title = view === 'search' ? 'onepeace' : `${VIEW_NAMES[view]} · onepeace`
    setFailure(undefined)
  }, [view])
  // The address says what is looked at, so that it can be kept and shared.
  useEffect(() => {
    if (session.state !== 'ready') return
    const words =
      view === 'search' && search.parts.length === 0 && search.asking.state === 'done' ? search.words.trim() : ''
    go({ view, collection: session.collection, words })
  }, [session.state, session.collection, search.asking.state, view])

  return (
    <SessionProvider value={session}>
      <Header view={view} views={VIEWS.map((each) => ({ view: each, name: VIEW_NAMES[each] }))} busy={uploads.left} />
      <main class={isOver ? 'over' : ''} id="main">
        <h1 class="hidden">{VIEW_NAMES[view]}</h1>
        {session.error && (
          <>
            <ProblemNote error={session.error} />
            <button type="button" class="more" onClick={session.refresh}>
              Try again
            </button>
          </>
        )}
        {failure && <ProblemNote error={failure} />}
        {session.state === 'loading' && <p class="empty">Loading…</p>}
        {session.state === 'ready' && view === 'search' && <SearchView search={search} actions={actions} />}
        {session.state === 'ready' && view === 'look' && <LookView subject={subject} onSubject={setSubject} />}
        {session.state === 'ready' && view === 'add' && <AddView uploads={uploads} />}
        {session.state === 'ready' && view === 'map' && <MapView actions={actions} />}
      </main>
    </SessionProvider>
  )
}
