/** By which index each statement of the hot calls is to be served. */

/** What is expected of a statement. */
export interface Expected {
  /** It reads one of these indexes, and no other. */
  readonly indexes: readonly string[];
  /** It may look at every page of its queue. */
  readonly all?: true;
}

const byId: Expected = { indexes: ["_id_"] };
const by = (...indexes: string[]): Expected => ({ indexes });

/** By the shapes of `shapes.ts`. */
export const expected: Readonly<Record<string, Expected>> = {
  // Takes, and all that follows from what they find.
  "pages aggregate next:$exists q sort next limit": by("next"),
  "pages aggregate q takes:$in": by("takes"),
  "pages aggregate q wake:$lte sort wake limit": by("wake"),
  "pages aggregate _id:$in q": byId,
  "pages aggregate names:$in q": by("names"),
  "pages aggregate q was:$in": by("was"),
  "pages update _id q v": byId,
  "pages update $expr _id q v": byId,
  "bodies find _id:$in q": byId,
  "heads find _id q limit": byId,
  // Puts.
  "heads findAndModify _id q": byId,
  "pages find _id pending:$exists q limit": byId,
  "pages update _id q": byId,
  // Those with `maxSize`, which count.
  "pages aggregate q hint n": { indexes: ["n"], all: true },
  "admissions find _id q limit": byId,
  "admissions update _id n q": byId,
  "pages aggregate _id pending q": byId,
  "pages update _id n pending q v": byId,
  "pages delete _id n pending q": byId,
  // Waits.
  "pages aggregate $expr next:$exists q sort next limit": by("next"),
  "pages aggregate q wake:$exists sort wake limit": by("wake"),
  "pages update $expr _id called.v q v": byId,
  "pages update _id called.v q": byId,
  // Groups.
  "groups find _id:$in q": byId,
  "groups update _id q v": byId,
  "groups delete _id q v": byId,
  "lanes find g q sort p limit": by("lane"),
  "lanes update _id q": byId,
  "lanes update _id q v": byId,
  "lanes delete _id q v": byId,
  // What operators ask for.
  "pages aggregate in q": by("in"),
  "pages aggregate q wake:$lte": by("wake"),
  "pages aggregate _id:$nin pending:$exists q hint n": { indexes: ["n"], all: true },
  "pages find in:$in n:$lte q limit": by("in", "n"),
  "heads aggregate _id q": byId,
  "heads update _id q": byId,
  "heads update _id calls:$ne q": byId,
  "controls findAndModify _id q": byId,
  "controls findAndModify _id q v": byId,
  // Pages that are over.
  "pages aggregate closed:$lte q todo:$exists limit": by("closed"),
  "pages delete _id:$in q": byId,
  "bodies delete page:$in q": by("page"),
  "lanes delete page:$in q": by("page"),
  "heads update _id fold.v q": byId,
  "heads update _id fold.v:$exists q": byId,
};
