/*! jQuery v1.8.0 jquery.com | jquery.org/license */
