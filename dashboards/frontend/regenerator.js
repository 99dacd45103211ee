// The one thing that Dash's scripts take from its polyfill of 2015's JavaScript: the global `regeneratorRuntime`.
import "regenerator-runtime/runtime.js";
