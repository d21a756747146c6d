import type { ViteUserConfig } from "vitest/config";

/** Packages of this workspace resolve to their sources, so tests need no build. */
const conditions: string[] = ["@pq/source"];

/** What every package's vitest.config.ts says. */
export const shared: ViteUserConfig = {
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: {
    resolve: {
      conditions: [...conditions, "module", "node", "development|production"],
      externalConditions: [...conditions, "node"],
    },
  },
  // `using` is a syntax error on Node 20 and 22.
  oxc: { target: "node20" },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // A test that needs a second try is a broken test.
    retry: 0,
  },
};
