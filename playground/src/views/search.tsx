/** Search: the query above, what was found below; without a query, what there is. */
import { useEffect, useState } from 'preact/hooks'
import type { Schemas } from '../api/call.ts'
import { listItemsCall } from '../api/calls.ts'
import type { Modality } from '../logic/parts.ts'
import { counted, nameOf } from '../logic/words.ts'
import { useSession } from '../session.ts'
import { CaptureButtons, FileButton } from '../ui/capture.tsx'
import { Chips, KindMark } from '../ui/chips.tsx'
import { CopyAs } from '../ui/copy-as.tsx'
import { Gallery, type ItemActions, type Shown } from '../ui/hit-card.tsx'
import { useAsk } from '../ui/hooks.ts'
import { ProblemNote } from '../ui/problem.tsx'
import { PAGE, type Search } from './use-search.ts'

export function SearchView({ search, actions }: { search: Search; actions: ItemActions }) {
  const { collection } = useSession()
  return (
    <>
      <Composer search={search} />
      {search.failure && <ProblemNote error={search.failure} />}
      {search.asking.state === 'idle' ? (
        <Browse key={collection} search={search} actions={actions} />
      ) : (
        <Results search={search} actions={actions} />
      )}
    </>
  )
}

function Composer({ search }: { search: Search }) {
  return (
    <section class="panel composer" aria-label="Query">
      <form
        class="words"
        onSubmit={(event) => {
          event.preventDefault()
          search.submit()
        }}
      >
        <input
          type="search"
          aria-label="Words"
          placeholder="Words, e.g. a dog on the beach"
          value={search.words}
          onInput={(event) => search.setWords(event.currentTarget.value)}
        />
        <button
          type="button"
          disabled={search.words.trim() === ''}
          title="Make the words a part with a weight of its own"
          onClick={search.addWords}
        >
          + Part
        </button>
        <button type="submit" class="primary">
          Search
        </button>
      </form>
      <div class="row">
        <FileButton label="Picture or sound…" multiple onFiles={search.addFiles} />
        <CaptureButtons onFiles={search.addFiles} />
        <span class="small muted by-mouse">or drop files anywhere, or paste</span>
      </div>
      {search.like ? (
        <LikeChip item={search.like} onRemove={search.clear} />
      ) : (
        <Chips parts={search.parts} onChange={search.setParts} />
      )}
      {search.parts.length > 0 && (
        <p class="small muted">
          The parts make one vector: the sum of their vectors by weight. Below 0 leads away from a part
          {search.words.trim() === '' ? '.' : '; the words in the field count +1.'}
        </p>
      )}
      <Options search={search} />
    </section>
  )
}

function LikeChip({ item, onRemove }: { item: Shown; onRemove(): void }) {
  const name = nameOf(item)
  return (
    <ul class="chips" aria-label="Parts of the query">
      <li class="chip" data-kind={item.modality}>
        <KindMark kind={item.modality} />
        <span class="name">similar to {name}</span>
        <button type="button" class="remove" aria-label={`Remove similar to ${name}`} onClick={onRemove}>
          ×
        </button>
      </li>
    </ul>
  )
}

const NAMES: Record<Modality, string> = { text: 'Texts', image: 'Pictures', audio: 'Sounds' }

function Options({ search: { options, set, canGround, isGroundable } }: { search: Search }) {
  const { model } = useSession()
  const toggle = (modality: Modality, isOn: boolean) =>
    set({
      modalities: isOn ? [...options.modalities, modality] : options.modalities.filter((each) => each !== modality),
    })
  return (
    <div class="row options">
      <fieldset class="toggles">
        <legend>{options.modalities.length === 0 ? 'Any of' : 'Only'}</legend>
        {(model?.modalities ?? []).map((modality) => (
          <label key={modality}>
            <input
              type="checkbox"
              checked={options.modalities.includes(modality)}
              onChange={(event) => toggle(modality, event.currentTarget.checked)}
            />
            <span>
              <KindMark kind={modality} /> {NAMES[modality]}
            </span>
          </label>
        ))}
      </fieldset>
      <label class="inline">
        Variety
        <input
          type="range"
          min={0}
          max={1}
          step={0.1}
          value={options.diversity}
          aria-valuetext={options.diversity === 0 ? 'none' : String(options.diversity)}
          onChange={(event) => set({ diversity: Number(event.currentTarget.value) })}
        />
      </label>
      {canGround && (
        <label class="inline" title={isGroundable ? '' : 'Needs one text in the query'}>
          <input
            type="checkbox"
            checked={options.ground}
            onChange={(event) => set({ ground: event.currentTarget.checked })}
          />
          Point at it in pictures
        </label>
      )}
    </div>
  )
}

function Results({ search, actions }: { search: Search; actions: ItemActions }) {
  const { asking, options } = search
  const hits = asking.answer?.hits ?? []
  return (
    <section aria-label="Results" aria-busy={asking.state === 'busy'}>
      <div class="row head">
        <p role="status" class="small muted">
          {asking.state === 'busy' && 'Searching…'}
          {asking.state === 'done' && `${counted(hits.length, 'hit')} in ${Math.round(asking.answer!.took_ms)} ms`}
        </p>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.state === 'done' && hits.length === 0 && (
        <p class="empty">Nothing here is of the kinds that you asked for.</p>
      )}
      {asking.state !== 'failed' && <Gallery items={hits} actions={actions} label="Found" />}
      {hits.length === options.limit && search.canShowMore && (
        <button type="button" class="more" onClick={search.showMore}>
          Show more
        </button>
      )}
    </section>
  )
}

const EXAMPLES: [string, Modality[]][] = [
  ['pizza', []],
  ['the sound of rain', ['audio']],
  ['helicopter', ['audio', 'image']],
  ['strawberry', ['image']],
]

/** What the collection holds, to look at and to start from. */
function Browse({ search, actions }: { search: Search; actions: ItemActions }) {
  const { state, collection, collections } = useSession()
  const [asking, ask] = useAsk<Schemas['ItemList']>()
  const [items, setItems] = useState<Schemas['Item'][]>([])
  const size = collections.find(({ name }) => name === collection)?.items
  const load = async (cursor?: string) => {
    const page = await ask(listItemsCall(collection, PAGE, cursor))
    if (page) setItems((now) => (cursor === undefined ? page.items : [...now, ...page.items]))
  }
  useEffect(() => {
    if (collection !== '' && state === 'ready') void load()
  }, [collection, state, size])
  if (state === 'ready' && collection === '') {
    return (
      <p class="empty">
        There is no collection yet. <a href="#/add">Add something</a> to one, or start the service with{' '}
        <code>--samples</code>.
      </p>
    )
  }
  const next = asking.answer?.next_cursor
  return (
    <section aria-label="All items" aria-busy={asking.state === 'busy'}>
      {collection === 'samples' && (
        <div class="row">
          <span class="small muted">Try</span>
          {EXAMPLES.map(([words, kinds]) => (
            <button key={words} type="button" class="example" onClick={() => search.example(words, kinds)}>
              {words}
            </button>
          ))}
        </div>
      )}
      <div class="row head">
        <p role="status" class="small muted">
          {size !== undefined && `${counted(size, 'item')} in ${collection}`}
        </p>
        <CopyAs call={asking.call} />
      </div>
      {asking.error && <ProblemNote error={asking.error} />}
      {asking.state === 'done' && items.length === 0 && (
        <p class="empty">
          Nothing is in <strong>{collection}</strong> yet. <a href="#/add">Add something.</a>
        </p>
      )}
      <Gallery items={items} actions={actions} label="Items" />
      {next !== undefined && (
        <button type="button" class="more" onClick={() => load(next)}>
          Show more
        </button>
      )}
    </section>
  )
}
